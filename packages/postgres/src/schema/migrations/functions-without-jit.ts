/**
 * A function that says `enable_seqscan = off` lets the planner think that reading a table of one
 * row costs ten billion, and a server with LLVM (`jit` is on by default) compiles what costs so
 * much, each time anew: half a second of processor time for a question of a millisecond.
 *
 * Of all functions in the schema; a package of its own calls it after its last.
 */
export function functionsWithoutJit(schema: string): string[] {
  return [
    `do $$
    declare
      dear regprocedure;
    begin
      for dear in
        select p.oid::regprocedure from pg_proc p
          where p.pronamespace = '${schema.replaceAll("'", "''")}'::regnamespace
            and 'enable_seqscan=off' = any(p.proconfig) and 'jit=off' <> all(p.proconfig)
      loop
        execute format('alter function %s set jit = off', dear);
      end loop;
    end $$`,
  ]
}
