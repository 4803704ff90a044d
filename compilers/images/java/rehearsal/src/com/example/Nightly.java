package com.example;

import com.cloudcheflabs.kiok.sdk.Conn;
import com.cloudcheflabs.kiok.sdk.Dag;
import com.cloudcheflabs.kiok.sdk.KiokDag;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The warm-up DAG. It uses the features that authors' DAGs use, so that they are loaded in advance. */
public class Nightly implements KiokDag {

    private static final Map<String, Long> TABLES = new LinkedHashMap<>(Map.of("orders", 60_000L));

    @Override
    public Dag define() {
        Dag dag = new Dag("nightly").name("Nightly").description("none").schedule("0 3 * * *").catchup(true);
        dag.defaultTimeoutMs(5_000);
        dag.task("extract").shell("extract.sh --day #{ds}").timeoutMs(60_000);
        dag.task("clean").python("print('clean')").requires("extract");
        dag.task("call").http("https://example.com/" + TABLES.size()).config("method", "POST").requires("extract");
        dag.task("spark").livy(Conn.ref("livy", "url")).livyArgs("--day", "#{ds}").livyConf("spark.a", "1");
        dag.task("sql").trino("https://example.com", "etl", "SELECT 1").trinoPassword(Conn.secret("trino"));
        dag.task("load").ontulClass("com.example.Load", List.of("a.jar"), Map.of("to", "2")).requires("clean", "call");
        for (Map.Entry<String, Long> table : TABLES.entrySet()) {
            String name = table.getKey();
            dag.task("load_" + name + "_" + table.getValue()).shell("load.sh " + name + " " + 1).timeoutMs(table.getValue());
        }
        List.of("a", "b").forEach(name -> dag.task(String.format("part_%s_%02d", name, 1)).shell(name));
        List<String> upper = List.of("x").stream().filter(each -> !each.isEmpty()).map(String::toUpperCase).toList();
        dag.task("last").shell(String.join(",", upper)).requires(upper.toArray(new String[0]));
        return dag;
    }
}
