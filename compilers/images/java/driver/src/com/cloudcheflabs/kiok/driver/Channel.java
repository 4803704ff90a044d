package com.cloudcheflabs.kiok.driver;

import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Reports to the supervisor over a separate file descriptor, because standard output belongs to the jar's code.
 *
 * <p>Records follow the magic bytes: a type byte, the body's length as four bytes, the body. Numbers are big-endian.
 *
 * <table>
 * <caption>Records</caption>
 * <tr><td>{@code C}</td><td>the jar's DAG classes: names, separated by slashes, which no name contains</td></tr>
 * <tr><td>{@code P}</td><td>a problem of the jar that belongs to no DAG class: text</td></tr>
 * <tr><td>{@code D}</td><td>a doubt, that is something that may define a DAG: text</td></tr>
 * <tr><td>{@code N}</td><td>the reason why the jar holds no DAG class: text</td></tr>
 * <tr><td>{@code F}</td><td>the jar cannot be read at all: text; nothing follows</td></tr>
 * <tr><td>{@code B}</td><td>the start of a class: index</td></tr>
 * <tr><td>{@code R}</td><td>its DAG: index, JSON</td></tr>
 * <tr><td>{@code X}</td><td>its failure: index, line in its source file or 0, text</td></tr>
 * <tr><td>{@code E}</td><td>all classes are done</td></tr>
 * </table>
 */
final class Channel {

    private static final byte[] MAGIC = "KIOKJAR1".getBytes(StandardCharsets.US_ASCII);

    private final DataOutputStream out;

    Channel(int descriptor) throws IOException {
        this(new FileOutputStream("/proc/self/fd/" + descriptor));
    }

    private Channel(OutputStream sink) throws IOException {
        out = new DataOutputStream(new BufferedOutputStream(sink));
        out.write(MAGIC);
        out.flush();
    }

    /** Returns a channel without a reader. */
    static Channel toNowhere() throws IOException {
        return new Channel(OutputStream.nullOutputStream());
    }

    void classes(List<ClassFile> classes) {
        StringBuilder names = new StringBuilder();
        for (ClassFile file : classes) {
            names.append(names.length() == 0 ? "" : "/").append(file.className());
        }
        send('C', new int[0], names.toString());
    }

    void problem(String message) {
        send('P', new int[0], message);
    }

    void doubt(String message) {
        send('D', new int[0], message);
    }

    void notADag(String reason) {
        send('N', new int[0], reason);
    }

    void unreadable(String message) {
        send('F', new int[0], message);
    }

    void begin(int index) {
        send('B', new int[] {index}, "");
    }

    void dag(int index, String json) {
        send('R', new int[] {index}, json);
    }

    void failed(int index, int line, String message) {
        send('X', new int[] {index, line}, message);
    }

    void end() {
        send('E', new int[0], "");
    }

    private synchronized void send(char type, int[] numbers, String text) {
        try {
            ByteArrayOutputStream body = new ByteArrayOutputStream();
            DataOutputStream fields = new DataOutputStream(body);
            for (int number : numbers) {
                fields.writeInt(number);
            }
            fields.write(text.getBytes(StandardCharsets.UTF_8));
            out.writeByte(type);
            out.writeInt(body.size());
            body.writeTo(out);
            out.flush();
        } catch (IOException e) {
            throw new UncheckedIOException("the supervisor no longer listens", e);
        }
    }
}
