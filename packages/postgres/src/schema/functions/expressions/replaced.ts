/**
 * Leaves the mark that a release leaves for an attempt of lease mode that a store in transaction
 * mode has taken over. If an operator forgets the key later, a completion that is sent again would
 * otherwise be taken for one of an attempt that the database has lost, and stored. A login that may
 * not write 'leases' leaves no mark: its own task does not need that right.
 */
export function markReplaced(schema: string, token: string): string {
  const table = `'${schema.replaceAll("'", "''")}.leases'::regclass`
  return `if ${token} is not null and has_table_privilege(${table}, 'insert') then
        insert into ${schema}.leases (token, until) values ('released:' || ${token}, null)
          on conflict (token) do nothing;
      end if;`
}
