import type { TestDatabase } from './test-database.ts'

/**
 * A clock for leases that a test can move. It is two functions with the names of PostgreSQL's own,
 * which connections with these `options` find first. The store's statements are unchanged.
 */
export async function movableClock(database: TestDatabase): Promise<(ms: number) => Promise<void>> {
  await database.query('create schema test_clock')
  await database.query('create table test_clock.ahead (ms bigint primary key)')
  await database.query('insert into test_clock.ahead values (0)')
  for (const name of ['clock_timestamp', 'statement_timestamp']) {
    await database.query(
      `create function test_clock.${name}() returns timestamptz language sql volatile as
         'select pg_catalog.${name}() + ms * interval ''1 ms'' from test_clock.ahead'`,
    )
  }
  return async (ms) => {
    await database.query('update test_clock.ahead set ms = ms + $1', [Math.ceil(ms)])
  }
}

export const clockOptions = '-c search_path=test_clock,pg_catalog,public'
