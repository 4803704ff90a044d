import com.cloudcheflabs.kiok.sdk.*;

/** A valid class in the same jar as a hostile one, compiled after it. */
public class ZSound implements KiokDag {
    @Override
    public Dag define() {
        Dag dag = new Dag("sound");
        dag.task("t").shell("true");
        return dag;
    }
}
