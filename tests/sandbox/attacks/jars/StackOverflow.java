// tries: calls itself without end
// expect: class StackOverflow: define\(\) threw StackOverflowError
import com.cloudcheflabs.kiok.sdk.*;

public class StackOverflow implements KiokDag {
    @Override
    public Dag define() {
        return define();
    }
}
