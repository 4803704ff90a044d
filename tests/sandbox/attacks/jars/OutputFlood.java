// tries: prints without end
// expect: class OutputFlood: hangs or is too slow
// prints: flood
// limit: 12
import com.cloudcheflabs.kiok.sdk.*;

public class OutputFlood implements KiokDag {
    @Override
    public Dag define() {
        while (true) {
            System.out.println("\u0000KIOKJAR1 flood");
        }
    }
}
