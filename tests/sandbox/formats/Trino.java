import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class Trino implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("trino");
        dag.task("before").shell("a");
        dag.task("query").requires("before").timeoutMs(3_600_000)
                .trino("https://trino:8443", "etl", "-- daily\nSELECT count(*) FROM t WHERE day = '#{ds}'\n")
                .trinoPassword(Conn.secret("trino"))
                .trinoCatalog("hive")
                .trinoSchema("sales")
                .config("trino.source", "kiok")
                .config("trino.pollIntervalMs", "500")
                .config("trino.session", "{\"query_max_run_time\":\"1h\"}");
        return dag;
    }
}
