import { actTarget } from '@oncekey/core'
import { consumer, createRelay, deadLetters, PermanentError } from '@oncekey/outbox'
import { postgresLog, postgresStore, transact } from '@oncekey/postgres'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { logDatabase, quick } from '../databases/log-database.ts'

const database = logDatabase()
const by = { actor: 'maria@shop.example', note: 'the address had no street' }

test('a letter is redriven with other data under a new event id, and both name each other', async () => {
  const pool = database.pool()
  const log = postgresLog({ client: pool })
  const taken: { id: string; replaces: string | undefined; data: unknown }[] = []
  const email = consumer<PoolClient>({
    name: 'email',
    startAt: 'now',
    handle({ event }) {
      const data = event.data as { street: string | null }
      if (data.street === null) throw new PermanentError('no street')
      taken.push({ id: event.id, replaces: event.headers.replaces, data })
    },
  })
  const relay = createRelay<PoolClient>({ ...quick, log, consumers: [email] })
  await relay.runOnce()
  await transact(pool, (_, emit) =>
    emit({ type: 'order.created', subject: 'o1', data: { street: null, cents: 4_200 } }),
  )
  while ((await relay.runOnce()) > 0);
  const dead = deadLetters(log.deadLetters)
  const [letter] = (await dead.list({ origin: 'email' })).items
  const id = letter?.id ?? ''

  await expect(dead.editAndRedrive(id, '{"street"', by)).rejects.toMatchObject({
    code: 'event-invalid',
  })
  const replaced = await dead.editAndRedrive(id, '{"street":"Main","cents":4200}', by)
  if (replaced.outcome !== 'replaced') throw new Error(replaced.outcome)
  expect(await dead.editAndRedrive(id, '{}', by)).toEqual({ outcome: 'already-done' })
  expect(await dead.editAndRedrive('987654321', '{}', by)).toEqual({ outcome: 'unknown' })
  expect(await dead.get(id)).toMatchObject({ resolution: 'replaced', replacedBy: replaced.id })
  expect(await dead.get(replaced.id)).toMatchObject({ state: 'retrying', replaces: id })

  while ((await relay.runOnce()) > 0);
  await relay.stop()
  expect(taken).toEqual([
    {
      id: replaced.eventId,
      replaces: letter?.eventId,
      data: { street: 'Main', cents: 4_200 },
    },
  ])
  expect(await dead.get(replaced.id)).toMatchObject({ state: 'resolved', resolution: 'redriven' })
  const { operations } = postgresStore({ client: pool })
  const target = actTarget('dead-letter', 'consumers', id)
  expect((await operations?.list({ target }, { limit: 10 }))?.items).toMatchObject([
    {
      ...by,
      act: 'dead-letters.edit-and-redrive',
      detail: {
        newId: replaced.id,
        changes: [{ path: '/street', before: 'null', after: '"Main"' }],
      },
    },
  ])
})
