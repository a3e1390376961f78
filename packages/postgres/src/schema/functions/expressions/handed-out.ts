/**
 * Reads the number that a sequence has handed out last into a variable; `sequence` is a variable
 * with its `regclass`. Not a plain query, because then a role that may not read the sequence could
 * not run the function at all.
 */
export function handedOut(sequence: string, variable: string): string {
  return `execute format('select last_value - (not is_called)::integer from %s', ${sequence})
        into ${variable};`
}

/** The sequence of the events' numbers, as `regclass`. */
export function numbersOfEvents(schema: string): string {
  return `pg_get_serial_sequence('${schema}.outbox', 'seq')`
}
