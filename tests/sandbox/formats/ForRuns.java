import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class ForRuns implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("for_runs")
                .schedule("30 2 * * *")
                .catchup(true)
                .timezone("America/Argentina/Buenos_Aires")
                .maxActiveRuns(3)
                .overlap("skip")
                .catchupWindowMs(129_600_000)
                .retries(2)
                .retryDelayMs(90_000)
                .params(
                        Param.date("day").required(),
                        Param.date("since").defaultValue("2024-02-29"),
                        Param.string("region").choices("eu").choices("us", "Zürich \uD83D\uDE00 \"x\"")
                                .defaultValue("eu").description("Where to load\nfrom"))
                .params(
                        Param.integer("limit").defaultValue(Long.MIN_VALUE),
                        Param.integer("batch").choices(10L, 20L),
                        Param.number("ratio").defaultValue(0.1).choices(0.1, 1.0).choices(2L).choices(1e10),
                        Param.bool("full").defaultValue(false),
                        Param.string("note"));
        dag.task("load").shell("load.sh").retries(0).retryDelayMs(0)
                .image("registry.example.com:5000/team/etl:1.4");
        dag.task("clean").python("print(1)").requires("load").runs("always").retries(1000).retryDelayMs(3_600_000);
        dag.task("tell").http("u").requires("load").runs("on_success").retryDelayMs(5);
        dag.task("run").livy("u").livyFile("f").retries(1).retryDelayMs(1_500).runs("always");
        dag.task("query").trino("u", "v", "SELECT 1").retries(2).retryDelayMs(1_000).runs("always");
        dag.task("job").ontul("u", "BATCH", "SELECT 1").retries(3).retryDelayMs(2_000).runs("always");
        return dag;
    }
}
