import com.cloudcheflabs.kiok.sdk.*;

/** Uses a class of another jar. */
public class UsesOther implements KiokDag {
    @Override
    public Dag define() {
        Dag dag = new Dag("uses_other");
        dag.task("t").shell(Other.text());
        return dag;
    }
}
