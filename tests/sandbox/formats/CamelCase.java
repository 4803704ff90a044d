import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class CamelCase implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("camel_case").catchup(true).catchupWindowMs(86_400_000).maxActiveRuns(1).overlap("queue")
                .retryDelayMs(1_000).params();
        dag.task("a").shell("a");
        return dag;
    }
}
