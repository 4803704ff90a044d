import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class MillisecondsSnake implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("milliseconds_snake").catchup(true).catchupWindowMs(1).retryDelayMs(0);
        dag.task("a").shell("a");
        return dag;
    }
}
