import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class DefaultTimeoutSnake implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("default_timeout_snake").defaultTimeoutMs(1);
        dag.task("a").shell("a");
        return dag;
    }
}
