import { postgresLog, postgresRedrives } from '@oncekey/postgres'
import { type Child, startNode, waitFor } from '@oncekey/test-servers'
import { afterEach, expect, test } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'
import { withDeadLetters } from '../dead-letters/letters.ts'

const KILLS = 20
const LETTERS = 600
const database = logDatabase()
const children: Child<unknown>[] = []
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill()
    await child.exited
  }
})

test('a redrive whose relay is killed 20 times in its middle redrives each letter once', {
  timeout: 300_000,
}, async () => {
  const client = database.pool()
  const log = postgresLog({ client })
  const records = postgresRedrives({ client })
  const subjects = Array.from({ length: LETTERS }, (_, n) => `letter-${n}`)
  await withDeadLetters(database, log, 'once', subjects)
  const by = { actor: 'maria@shop.example', note: 'deployed a fix' }
  const id = await log.deadLetters.redrives?.start({ origin: 'once' }, { ratePerSecond: 60 }, by)
  const redriven = async () => (await records.get(id ?? ''))?.redriven ?? 0

  const start = () =>
    startNode(new URL('./relay-process.ts', import.meta.url), {
      // Events that are under way when a relay is killed are started again, and none of them may
      // become poison.
      env: { DATABASE_URL: database.url(), MAX_STARTS: '100' },
      readyTimeoutMs: 120_000,
    }).then((child) => {
      children.push(child)
      return child
    })
  for (let kills = 0; kills < KILLS; kills += 1) {
    const before = await redriven()
    const relay = await start()
    await waitFor(async () => (await redriven()) > before, { what: `portion ${kills}` })
    relay.kill()
    await relay.exited
  }
  expect((await records.get(id ?? ''))?.state).toBe('running')

  await start()
  await waitFor(async () => (await records.get(id ?? ''))?.state === 'done', {
    what: 'the end of the redrive',
    timeoutMs: 60_000,
  })
  expect(await records.get(id ?? '')).toMatchObject({ redriven: LETTERS, refused: 0 })
  const { items } = await records.portions(id ?? '', { limit: 1_000 })
  const ids = items.flatMap((portion) => portion.redriven)
  expect(new Set(ids).size).toBe(LETTERS)
  expect(ids).toHaveLength(LETTERS)
  const effects = async () =>
    Object.entries(await database.effects('once')).filter(([name]) => name.startsWith('letter-'))
  await waitFor(async () => (await effects()).length === LETTERS, {
    what: 'their effects',
    timeoutMs: 60_000,
  })
  expect(new Set((await effects()).map(([, times]) => times))).toEqual(new Set([1]))
  const rows = await database.query(
    `select redrives, state from oncekey.deliveries where consumer = 'once' group by 1, 2`,
  )
  expect(rows).toEqual([{ redrives: 1, state: 'resolved' }])
})
