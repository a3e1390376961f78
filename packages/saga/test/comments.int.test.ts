import { expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()

test('every table, view and column says in the database what it is', async () => {
  expect(
    await database.query(`
      select c.relname || coalesce('.' || a.attname, '') as name
        from pg_class c
        left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'oncekey'::regnamespace and c.relkind in ('r', 'p', 'v')
          and not c.relispartition
          and (obj_description(c.oid, 'pg_class') is null or col_description(c.oid, a.attnum) is null)
        order by 1`),
  ).toEqual([])
})

test.each(['saga_open_runs'])('the view %s can be read', async (view) => {
  expect(await database.query(`select * from oncekey.${view}`)).toEqual([])
})
