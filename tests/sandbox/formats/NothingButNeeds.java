import com.cloudcheflabs.kiok.sdk.*;
import java.util.*;

public class NothingButNeeds implements KiokDag {
    public Dag define() {
        Dag dag = new Dag("nothing_but_needs");
        dag.task("only").script("true");
        return dag;
    }
}
