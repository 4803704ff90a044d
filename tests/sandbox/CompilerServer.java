import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.jar.JarFile;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;

/** Compiles Java for tests: see javac.py. Reads requests from standard input until it ends, and writes an answer to each. */
public class CompilerServer {
    private static final String SDK = "/out/kiok-sdk.jar";

    public static void main(String[] none) throws IOException {
        DataInputStream in = new DataInputStream(System.in);
        DataOutputStream out = new DataOutputStream(System.out);
        for (int release = in.read(); release >= 0; release = in.read()) {
            boolean withSdk = in.readBoolean();
            Path folder = Files.createTempDirectory("compiler");
            for (int left = in.readInt(); left > 0; left--) {
                write(folder.resolve(in.readUTF()), in.readNBytes(in.readInt()));
            }
            ByteArrayOutputStream messages = new ByteArrayOutputStream();
            byte[] jar = jar(folder, release, withSdk, new PrintStream(messages, true, "UTF-8"));
            byte[] answer = jar == null ? messages.toByteArray() : jar;
            out.writeBoolean(jar != null);
            out.writeInt(answer.length);
            out.write(answer);
            out.flush();
            delete(folder);
        }
    }

    /** Returns the jar of a folder with sources, an API to compile against and resources, or null after an error. */
    private static byte[] jar(Path folder, int release, boolean withSdk, PrintStream messages) throws IOException {
        Path classes = Files.createDirectory(folder.resolve("classes"));
        Path api = folder.resolve("api");
        String classPath = SDK;
        if (Files.isDirectory(api)) {
            classPath = Files.createDirectory(folder.resolve("api-classes")).toString();
            if (!javac(api, release, classPath, "", messages)) return null;
        }
        if (!javac(folder.resolve("src"), release, classes.toString(), classPath, messages)) return null;
        Path resources = folder.resolve("resources");
        for (Path file : files(resources)) {
            write(classes.resolve(resources.relativize(file).toString()), Files.readAllBytes(file));
        }
        if (withSdk) {
            try (JarFile sdk = new JarFile(SDK)) {
                for (var entry : Collections.list(sdk.entries())) {
                    if (!entry.isDirectory()) {
                        write(classes.resolve(entry.getName()), sdk.getInputStream(entry).readAllBytes());
                    }
                }
            }
        }
        Path jar = folder.resolve("out.jar");
        List<String> arguments = List.of(
            "--create", "--file", jar.toString(), "--no-manifest", "-C", classes.toString(), ".");
        return run("jar", arguments, messages) ? Files.readAllBytes(jar) : null;
    }

    private static boolean javac(Path sources, int release, String target, String classPath, PrintStream messages)
            throws IOException {
        List<String> arguments = new ArrayList<>(List.of(
            "-nowarn", "-encoding", "UTF-8", "-Xlint:-options", "--release", "" + release, "-d", target, "-cp", classPath));
        List<Path> files = files(sources);
        files.forEach(file -> arguments.add(file.toString()));
        return files.isEmpty() || run("javac", arguments, messages);
    }

    private static boolean run(String tool, List<String> arguments, PrintStream messages) {
        return ToolProvider.findFirst(tool).get().run(messages, messages, arguments.toArray(new String[0])) == 0;
    }

    private static List<Path> files(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) return List.of();
        try (Stream<Path> found = Files.walk(folder)) {
            return found.filter(Files::isRegularFile).sorted().toList();
        }
    }

    private static void write(Path file, byte[] content) throws IOException {
        Files.createDirectories(file.getParent());
        Files.write(file, content);
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> found = Files.walk(folder)) {
            found.sorted(Collections.reverseOrder()).forEach(path -> path.toFile().delete());
        }
    }
}
