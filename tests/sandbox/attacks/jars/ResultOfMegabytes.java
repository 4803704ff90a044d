// tries: defines a DAG larger than a result may be
// expect: class ResultOfMegabytes: .*at most 1048576 are allowed
import com.cloudcheflabs.kiok.sdk.*;

public class ResultOfMegabytes implements KiokDag {
    @Override
    public Dag define() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 2 << 20; i++) {
            text.append('x');
        }
        Dag dag = new Dag("large");
        dag.task("t").shell(text.toString());
        return dag;
    }
}
