package com.cloudcheflabs.kiok.sdk;

import java.util.ArrayList;
import java.util.List;

/**
 * A parameter of a {@link Dag}: an argument that its runs take.
 *
 * <pre>{@code
 * dag.params(
 *         Param.string("region").choices("eu", "us").defaultValue("eu"),
 *         Param.date("day").required().description("The day to load"));
 * }</pre>
 *
 * <p>Nothing is checked here: the compiler checks that default and choices have the type of the parameter.
 */
public class Param {

    private final String name;
    private final String type;
    private String defaultValue;
    private boolean required;
    private final List<String> choices = new ArrayList<>();
    private String description;

    private Param(String name, String type) {
        this.name = name;
        this.type = type;
    }

    /** Creates a parameter of any text. The name has lower-case letters, digits and {@code _}; at most 63. */
    public static Param string(String name) {
        return new Param(name, "string");
    }

    /** Creates a parameter of whole numbers. */
    public static Param integer(String name) {
        return new Param(name, "integer");
    }

    /** Creates a parameter of numbers, with or without a fraction. */
    public static Param number(String name) {
        return new Param(name, "number");
    }

    /** Creates a parameter that is true or false. */
    public static Param bool(String name) {
        return new Param(name, "boolean");
    }

    /** Creates a parameter of dates; its values are written {@code "2026-03-31"}. */
    public static Param date(String name) {
        return new Param(name, "date");
    }

    /** Sets the argument of a run that is started without one: text, or a date. */
    public Param defaultValue(String value) {
        defaultValue = text(value);
        return this;
    }

    /** Sets the argument of a run that is started without one: a whole number. */
    public Param defaultValue(long value) {
        defaultValue = Long.toString(value);
        return this;
    }

    /** Sets the argument of a run that is started without one: a number. */
    public Param defaultValue(double value) {
        defaultValue = number(value);
        return this;
    }

    /** Sets the argument of a run that is started without one: true or false. */
    public Param defaultValue(boolean value) {
        defaultValue = Boolean.toString(value);
        return this;
    }

    /** Requires every run to give the argument. */
    public Param required() {
        required = true;
        return this;
    }

    /** Adds allowed values: texts, or dates. */
    public Param choices(String... values) {
        for (String value : values) {
            choices.add(text(value));
        }
        return this;
    }

    /** Adds allowed values: whole numbers. */
    public Param choices(long... values) {
        for (long value : values) {
            choices.add(Long.toString(value));
        }
        return this;
    }

    /** Adds allowed values: numbers. */
    public Param choices(double... values) {
        for (double value : values) {
            choices.add(number(value));
        }
        return this;
    }

    /** Sets a description, for people who start a run. */
    public Param description(String description) {
        this.description = description;
        return this;
    }

    private static String text(String value) {
        StringBuilder out = new StringBuilder();
        Json.wireString(out, value);
        return out.toString();
    }

    private static String number(double value) {
        // JSON has no NaN and no infinities: as text, the compiler refuses them with this parameter's name.
        boolean finite = !Double.isNaN(value) && !Double.isInfinite(value);
        return finite ? Double.toString(value) : text(Double.toString(value));
    }

    void appendJson(StringBuilder out) {
        // A null name has no JSON form; the compiler reports the empty string instead.
        Json.wireString(out, name == null ? "" : name);
        out.append(":{\"type\":\"").append(type).append('"');
        if (defaultValue != null) {
            out.append(",\"default\":").append(defaultValue);
        }
        if (required) {
            out.append(",\"required\":true");
        }
        if (!choices.isEmpty()) {
            out.append(",\"choices\":[");
            for (String choice : choices) {
                Json.separate(out, '[');
                out.append(choice);
            }
            out.append(']');
        }
        Json.field(out, "description", description);
        out.append('}');
    }
}
