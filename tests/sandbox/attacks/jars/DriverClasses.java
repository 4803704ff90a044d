// tries: uses the classes of the driver in its JVM
// expect: class DriverClasses: .*ClassNotFoundException: com.cloudcheflabs.kiok.driver.Main
import com.cloudcheflabs.kiok.sdk.*;

public class DriverClasses implements KiokDag {
    @Override
    public Dag define() {
        try {
            Class.forName("com.cloudcheflabs.kiok.driver.Main");
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(e);
        }
        return null;
    }
}
