/**
 * Switches JIT off in every function of the schema that sets `enable_seqscan = off`. With that
 * setting, the planner puts the cost of reading a table of one row at ten billion. A server with
 * LLVM (`jit` is on by default) compiles such an expensive query, each time anew: half a second of
 * processor time for a query of a millisecond.
 *
 * It covers all functions of the schema, so a package with functions of its own calls it after
 * creating the last of them.
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
