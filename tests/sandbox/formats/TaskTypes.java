import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class TaskTypes implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("task_types").schedule("0 3 * * 7").catchup(false);
        dag.task("shell").shell("run.sh");
        dag.task("python").python("print(1)");
        dag.task("http").http("http://hooks.example");
        dag.task("livy").livy("http://livy:8998").livyFile("s3://jobs/a.jar");
        dag.task("trino").trino("http://trino:8080", "etl", "SELECT 1");
        dag.task("ontul").ontul("http://ontul", "BATCH", "SELECT 2");
        dag.task("callable").type("python_callable").config("module", "jobs.load").config("callable", "run");
        dag.task("java").type("java").config("class", "com.acme.Load");
        return dag;
    }
}
