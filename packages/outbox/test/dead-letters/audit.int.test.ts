import { actTarget } from '@oncekey/core'
import { deadLetters } from '@oncekey/outbox'
import { postgresLog, postgresStore } from '@oncekey/postgres'
import { beforeEach, expect, test } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'
import { withDeadLetters } from './letters.ts'

const database = logDatabase()
const actor = 'maria@shop.example'

let number = 0
let name: string
beforeEach(() => {
  number += 1
  name = `consumer-${number}`
})

function at() {
  const pool = database.pool()
  const log = postgresLog({ client: pool })
  const { operations } = postgresStore({ client: pool })
  return {
    log,
    trail: async (target: string) => (await operations?.list({ target }, { limit: 50 }))?.items,
  }
}

test('a discarded letter has one entry in the audit trail, and one that was not has none', async () => {
  const { log, trail } = at()
  const [id = ''] = await withDeadLetters(database, log, name, ['one'])
  const dead = deadLetters(log.deadLetters)
  for (let times = 0; times < 2; times += 1) await dead.discard([id], { actor, note: 'closed' })
  expect(await trail(actTarget('dead-letter', 'consumers', id))).toMatchObject([
    { actor, act: 'dead-letters.discard', note: 'closed', detail: { origin: name } },
  ])
})

test('an act whose entry is refused is undone with it', async () => {
  const { log } = at()
  const [id = ''] = await withDeadLetters(database, log, name, ['one'])
  await database.query(
    "alter table oncekey.operations add constraint only_known check (actor <> 'forged')",
  )
  const by = { actor: 'forged', note: 'nobody may' }
  await expect(deadLetters(log.deadLetters).discard([id], by)).rejects.toThrow()
  await expect(log.deadLetters.redrive({ ids: [id] }, { limit: 1, ...by })).rejects.toThrow()
  await expect(log.retire(name, by)).rejects.toThrow()
  expect((await log.deadLetters.get(id))?.state).toBe('dead')
  expect((await log.lag(name)).known).toBe(true)
  await database.query('alter table oncekey.operations drop constraint only_known')
})

test('a redrive of a source has one entry for the letters that it put back', async () => {
  const { log, trail } = at()
  const ids = await withDeadLetters(database, log, name, ['one', 'two'])
  const target = actTarget('dead-letters', 'consumers')
  const before = (await trail(target))?.length ?? 0
  await log.deadLetters.redrive({ origin: name }, { limit: 10, actor, note: 'deployed a fix' })
  await log.deadLetters.redrive({ origin: name }, { limit: 10, actor, note: 'nothing is left' })
  const entries = (await trail(target)) ?? []
  expect(entries).toHaveLength(before + 1)
  expect(entries[0]).toMatchObject({ actor, detail: { ids: [...ids].sort() } })
})

test('a retired consumer is in the audit trail, and an unknown one is not', async () => {
  const { log, trail } = at()
  await withDeadLetters(database, log, name, ['one'])
  await log.retire(name, { note: 'replaced by billing', actor })
  await log.retire(name)
  expect(await trail(actTarget('consumer', name))).toMatchObject([
    { actor, act: 'consumers.retire', note: 'replaced by billing', detail: { deliveries: 1 } },
  ])
})

test('an act without an actor is known by its login', async () => {
  const { log, trail } = at()
  const [id = ''] = await withDeadLetters(database, log, name, ['one'])
  await log.deadLetters.discard([id], 'closed')
  const [entry] = (await trail(actTarget('dead-letter', 'consumers', id))) ?? []
  const [row] = await database.query<{ login: string }>("select 'login ' || session_user as login")
  expect(entry?.actor).toBe(row?.login)
})
