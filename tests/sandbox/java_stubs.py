"""The signatures of the SDK only, as in docs/authors/java.md: jars of other origin were built against these."""

from __future__ import annotations

_PACKAGE = "package com.cloudcheflabs.kiok.sdk;\n"
_FOLDER = "com/cloudcheflabs/kiok/sdk/"

_TASK_MEMBERS = (
    "shell(String a)",
    "python(String a)",
    "http(String url)",
    "requires(String... a)",
    "config(String a, String b)",
    "timeoutMs(long a)",
    "livy(String url)",
    "livyUrl(String a)",
    "livyFile(String a)",
    "livyClassName(String a)",
    "livyArgs(String... a)",
    "livyConf(String a, String b)",
    "livyJars(String... a)",
    "livyDriverMemory(String a)",
    "livyExecutorMemory(String a)",
    "livyNumExecutors(int a)",
    "livyQueue(String a)",
    "livyName(String a)",
    "livyProxyUser(String a)",
    "livyPollIntervalMs(long a)",
    "trino(String url, String user, String sql)",
    "trinoPassword(String a)",
    "trinoCatalog(String a)",
    "trinoSchema(String a)",
    "ontulClass(String a, java.util.List<String> b, java.util.Map<String,String> c)",
    "ontulPython(String a, java.util.List<String> b, java.util.Map<String,String> c)",
    "ontulUrl(String a)",
    "ontulToken(String a)",
    "ontulJobConfig(java.util.Map<String,String> a)",
)

STUBS = {
    _FOLDER + "KiokDag.java": _PACKAGE + "public interface KiokDag { Dag define(); }",
    _FOLDER + "Dag.java": _PACKAGE
    + """public class Dag {
        public Dag(String id) {}
        public Dag schedule(String a) { return null; }
        public Dag catchup(boolean a) { return null; }
        public Dag defaultTimeoutMs(long a) { return null; }
        public Task task(String id) { return null; }
    }""",
    _FOLDER + "Task.java": _PACKAGE
    + "public class Task {\n"
    + "".join(f"public Task {member} {{ return null; }}\n" for member in _TASK_MEMBERS)
    + "}",
    _FOLDER + "Conn.java": _PACKAGE
    + """public class Conn {
        public static String ref(String id, String key) { return null; }
        public static String secret(String name) { return null; }
    }""",
}

# Calls every member of the stubs at least once.
EVERY_MEMBER = """
package com.acme;

import com.cloudcheflabs.kiok.sdk.Conn;
import com.cloudcheflabs.kiok.sdk.Dag;
import com.cloudcheflabs.kiok.sdk.KiokDag;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;

public class Everything implements KiokDag {
    @Override
    public Dag define() {
        Dag dag = new Dag("everything").schedule("0 3 * * *").catchup(true).defaultTimeoutMs(60000L);
        dag.task("shell").shell("echo shell");
        dag.task("python").python("print(1)").requires("shell").timeoutMs(5000L);
        dag.task("http").http("https://hooks.example/x").config("method", "POST").requires("shell", "python");
        dag.task("livy").livy("http://livy:8998").livyFile("s3://jobs/a.jar").livyClassName("com.acme.Job")
            .livyArgs("--day", "#{ds}").livyConf("spark.b", "2").livyConf("spark.a", "1").livyJars("a.jar", "b.jar")
            .livyDriverMemory("1g").livyExecutorMemory("2g").livyNumExecutors(4).livyQueue("batch").livyName("nightly")
            .livyProxyUser("etl").livyPollIntervalMs(2500L);
        dag.task("livy2").livyUrl("http://livy2:8998").livyFile("b.py");
        dag.task("trino").trino("http://trino:8080", "etl", "SELECT 1").trinoPassword(Conn.secret("trino"))
            .trinoCatalog("hive").trinoSchema("sales");
        Map<String, String> args = new HashMap<String, String>();
        args.put("to", "2");
        args.put("from", "1");
        dag.task("class").ontulClass("com.acme.Load", Arrays.asList("a.jar", "b.jar"), args)
            .ontulUrl(Conn.ref("ontul", "url")).ontulToken(Conn.secret("ontul"))
            .ontulJobConfig(Collections.singletonMap("memory", "4g"));
        dag.task("script").ontulPython("s3://jobs/load.py", null, Collections.<String, String>emptyMap())
            .ontulUrl("http://ontul");
        return dag;
    }
}
"""
