import { postgresLog } from '@oncekey/postgres'
import { expect, test } from 'vitest'
import {
  purgePortions,
  purgeRedrives,
  purgeTakenLetters,
} from '../../src/log/statements/retention.ts'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()
const DAY_MS = 86_400_000

// One statement deleted a redrive with all its portions: hundreds of thousands, for a redrive of a
// million letters at 20 a second.
test('a redrive that ended long ago goes in portions of bounded size', async () => {
  const pool = database.pool()
  await pool.query(
    `with made as (
       insert into oncekey.redrives (source, filter, rate, matched, actor, note, state, ended_at)
         values ('consumers', '{}', 20, 0, 'maria', 'mended', 'done', now() - interval '90 days')
         returning id
     )
     , portions as (
       insert into oncekey.redrive_portions (redrive, redriven, refused)
         select made.id, '[]', '[]' from made, generate_series(1, 12000)
     )
     insert into oncekey.redrive_letters (redrive, letter)
       select made.id, g::text from made, generate_series(1, 12000) g`,
  )
  const count = async (table: string) => {
    const { rows } = await pool.query(`select count(*)::integer as n from oncekey.${table}`)
    return rows[0].n as number
  }
  const run = async (statement: ReturnType<ReturnType<typeof purgeRedrives>>) => {
    const { rows } = await pool.query(statement.text, [...statement.values])
    return Number(rows[0].count)
  }
  expect(await run(purgeRedrives('oncekey')(30 * DAY_MS, 5_000))).toBe(0)
  expect(await count('redrive_portions')).toBe(12_000)
  expect(await run(purgePortions('oncekey')(30 * DAY_MS, 5_000))).toBe(5_000)
  expect(await count('redrive_portions')).toBe(7_000)
  expect(await run(purgeTakenLetters('oncekey')(5_000))).toBe(5_000)
  expect(await count('redrive_letters')).toBe(7_000)
  await postgresLog({ client: pool }).maintain()
  expect(await count('redrive_portions')).toBe(0)
  expect(await count('redrive_letters')).toBe(0)
  expect(await count('redrives')).toBe(0)
})

// They were kept as long as the redrive's record, for 30 days: a row for each of perhaps a million
// letters.
test('what a redrive has taken goes once it has ended, and its record stays', async () => {
  const pool = database.pool()
  await pool.query(
    `with made as (
       insert into oncekey.redrives (source, filter, rate, matched, actor, note, state, ended_at)
         values ('consumers', '{}', 20, 0, 'maria', 'ended', 'done', now()),
           ('consumers', '{}', 20, 0, 'maria', 'running', 'running', null)
         returning id
     )
     insert into oncekey.redrive_letters (redrive, letter)
       select made.id, g::text from made, generate_series(1, 3) g`,
  )
  await postgresLog({ client: pool }).maintain()
  const { rows } = await pool.query(
    `select r.note, count(l.letter)::integer as letters from oncekey.redrives r
       left join oncekey.redrive_letters l on l.redrive = r.id
       group by r.note order by r.note`,
  )
  expect(rows).toEqual([
    { note: 'ended', letters: 0 },
    { note: 'running', letters: 3 },
  ])
})
