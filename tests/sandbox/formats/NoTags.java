import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class NoTags implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("no_tags").owner(null).tags();
        dag.task("t").shell("echo");
        return dag;
    }
}
