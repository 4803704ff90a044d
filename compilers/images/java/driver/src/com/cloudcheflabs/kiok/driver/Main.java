package com.cloudcheflabs.kiok.driver;

import java.io.File;
import java.io.IOException;
import java.util.List;
import java.util.zip.ZipFile;

/**
 * Compiles the DAG classes of one jar, one after another, and reports each over the channel.
 *
 * <p>{@code Main DESCRIPTOR REHEARSAL}: the channel's file descriptor, and the warm-up jar. The order arrives on
 * standard input (see {@link Order}), whose end ends the process. Until the order arrives, it compiles the warm-up jar
 * a few times, so that everything a compile needs is loaded and warm.
 *
 * <p>The path from here to a result runs once, in a cold process: it uses no lambda, stream or regular expression,
 * because initializing those costs more than everything else.
 */
public final class Main {

    /** The exit status after running out of memory if that could not be reported. */
    static final int OUT_OF_MEMORY = 86;

    /** The first run loads the classes; the others make the JVM compile the most used methods. */
    private static final int REHEARSALS = 8;

    private Main() {}

    /** Never returns: threads, hooks and finalizers left by the jar must not continue. */
    public static void main(String[] args) throws IOException {
        try {
            for (int left = REHEARSALS; left > 0 && !Order.isWaiting(); left--) {
                compile(Channel.toNowhere(), new Order(0, new File(args[1])));
            }
            Order order = Order.read();
            if (order != null) {
                compile(new Channel(Integer.parseInt(args[0])), order);
            }
            Runtime.getRuntime().halt(0);
        } catch (OutOfMemoryError e) {
            Runtime.getRuntime().halt(OUT_OF_MEMORY);
        } catch (Throwable e) { // for any error, this process must not stay alive in the jar's threads
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
    }

    private static void compile(Channel channel, Order order) throws IOException, InterruptedException {
        ZipFile zip;
        List<ClassFile> classes;
        try {
            zip = new ZipFile(order.jar());
            JarScan scan = new JarScan(zip);
            classes = scan.dagClasses();
            for (String problem : scan.problems()) {
                channel.problem(problem);
            }
            for (String doubt : scan.doubts()) {
                channel.doubt(doubt);
            }
            if (classes.isEmpty()) {
                channel.notADag(scan.notADag());
            }
        } catch (JarScan.TooLarge e) {
            channel.problem(e.getMessage());
            channel.classes(List.of());
            channel.end();
            return;
        } catch (IOException | IllegalArgumentException e) {
            channel.unreadable("no readable jar: " + e.getMessage());
            return;
        }
        channel.classes(classes);
        for (int index = order.first(); index < classes.size(); index++) {
            channel.begin(index);
            // A loader per class, so that changes of static state by one class do not affect later ones.
            ClassRun run = new ClassRun(classes.get(index), new JarLoader(order.jar(), zip));
            run.execute(index == classes.size() - 1);
            if (run.failure() == null) {
                channel.dag(index, run.json());
            } else {
                channel.failed(index, run.failure().line(), run.failure().message());
            }
            if (run.leavesTraces()) {
                return;
            }
        }
        channel.end();
        zip.close();
    }
}
