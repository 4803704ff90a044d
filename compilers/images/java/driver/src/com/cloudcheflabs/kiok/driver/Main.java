package com.cloudcheflabs.kiok.driver;

import java.io.File;
import java.io.IOException;
import java.util.List;
import java.util.zip.ZipFile;

/**
 * Compiles the DAG classes of one jar, one after another, and reports each over the channel.
 *
 * <p>{@code Main DESCRIPTOR FIRST JAR}: the channel's file descriptor, the index of the first class to compile (the
 * order of classes is that of their names, so a second process goes on where a first one died), the jar.
 */
public final class Main {

    /** The exit status after running out of memory where that could not be reported. */
    static final int OUT_OF_MEMORY = 86;

    private Main() {}

    /** Never returns: threads, hooks and finalizers the jar has left behind must not run on. */
    public static void main(String[] args) throws IOException {
        try {
            compile(new Channel(Integer.parseInt(args[0])), Integer.parseInt(args[1]), new File(args[2]));
            Runtime.getRuntime().halt(0);
        } catch (OutOfMemoryError e) {
            Runtime.getRuntime().halt(OUT_OF_MEMORY);
        } catch (Throwable e) { // whatever it is, this process must not linger in the jar's threads
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
    }

    private static void compile(Channel channel, int first, File jar) throws IOException, InterruptedException {
        ZipFile zip;
        List<ClassFile> classes;
        try {
            zip = new ZipFile(jar);
            JarScan scan = new JarScan(zip);
            classes = scan.dagClasses();
            scan.problems().forEach(channel::problem);
        } catch (JarScan.TooLarge e) {
            channel.problem(e.getMessage());
            channel.classes(List.of());
            channel.end();
            return;
        } catch (IOException | IllegalArgumentException e) {
            channel.unreadable("no readable jar: " + e.getMessage());
            return;
        }
        channel.classes(classes.stream().map(ClassFile::className).toList());
        for (int index = first; index < classes.size(); index++) {
            channel.begin(index);
            // A loader each, so that what one class did to static state does not depend on which classes ran before.
            ClassRun run = new ClassRun(classes.get(index), new JarLoader(jar, zip));
            run.execute();
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
    }
}
