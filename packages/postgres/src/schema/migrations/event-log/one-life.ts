import { atReadCommittedFunction } from '../../functions/server/at-read-committed.ts'

/**
 * The server's life has one name, whatever isolation level the sessions have that give it one: see
 * decision 345.
 */
export function oneLife(schema: string): string[] {
  return [
    // Whoever names the life takes this lock, too. With two names nobody could ask for one, and
    // the end of the migration gives it a new one.
    `lock table ${schema}.life in share row exclusive mode`,
    `delete from ${schema}.life where (select count(*) from ${schema}.life) > 1`,
    // A name has a database. The row that present_snapshot_3 inserts beside it and rolls back has
    // none, that is 0.
    `create unique index life_is_one on ${schema}.life ((true)) where database <> 0`,
    atReadCommittedFunction(schema),
  ]
}
