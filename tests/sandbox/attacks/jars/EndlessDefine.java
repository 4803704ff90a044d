// tries: loops without end in define()
// expect: class EndlessDefine: hangs or is too slow
// limit: 12
import com.cloudcheflabs.kiok.sdk.*;

public class EndlessDefine implements KiokDag {
    @Override
    public Dag define() {
        while (true) {}
    }
}
