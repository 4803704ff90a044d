package com.example.dags;

import com.cloudcheflabs.kiok.sdk.Conn;
import com.cloudcheflabs.kiok.sdk.Dag;
import com.cloudcheflabs.kiok.sdk.KiokDag;

/**
 * Exports yesterday's orders of every region each night, and notifies the team when all exports are complete.
 *
 * <p>To build the jar that goes into the repository, with the SDK from {@code make java-sdk}:
 *
 * <pre>{@code
 * javac -cp kiok-sdk.jar -d classes com/example/dags/NightlyExport.java
 * jar --create --file example-dags.jar -C classes .
 * }</pre>
 */
public class NightlyExport implements KiokDag {

    private static final String[] REGIONS = {"eu", "us", "apac"};

    @Override
    public Dag define() {
        Dag dag =
                new Dag("nightly_export")
                        .name("Nightly export")
                        .description("Yesterday's orders, one Spark job per region")
                        .schedule("30 2 * * *")
                        .defaultTimeoutMs(30 * 60_000L);

        dag.task("check_source")
                .trino(Conn.ref("warehouse", "url"), "export", "SELECT count(*) FROM orders WHERE day = DATE '#{ds}'")
                .trinoCatalog("hive")
                .trinoSchema("sales");

        for (String region : REGIONS) {
            dag.task("export_" + region)
                    .livy(Conn.ref("spark", "url"))
                    .livyFile("s3://jobs/export.jar")
                    .livyClassName("com.example.jobs.Export")
                    .livyArgs("--region", region, "--day", "#{ds}")
                    .livyConf("spark.sql.shuffle.partitions", "64")
                    .livyNumExecutors(4)
                    .requires("check_source");
        }

        dag.task("tell_the_team")
                .http("https://hooks.example/exports")
                .config("method", "POST")
                .config("body", "{\"text\": \"Exports of #{ds} are complete\"}")
                .requires("export_eu", "export_us", "export_apac")
                .timeoutMs(60_000);

        return dag;
    }
}
