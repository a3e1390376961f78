import { randomUUID } from 'node:crypto'
import { transact } from '@oncekey/postgres'
import { describe, expect, test } from 'vitest'
import { testDatabase } from '../database/test-database.ts'
import { everyBridge } from './driven/all.ts'

describe.each(everyBridge)('transact on $name', ({ open }) => {
  const database = testDatabase()

  test('commits writes and events together, or neither', async () => {
    const bridge = await open({ url: database.url(), max: 2 })
    const outbox = 'select from oncekey.outbox where subject = $1'
    const [kept, undone, subject] = [randomUUID(), randomUUID(), randomUUID()]
    try {
      await transact(bridge.client, async (tx, emit) => {
        await bridge.insert(tx, kept)
        emit({ type: 'order.created', subject })
      })
      expect(await database.hasOrder(kept)).toBe(true)
      expect(await database.query(outbox, [subject])).toHaveLength(1)
      const mine = new Error('mine')
      const failing = transact(bridge.client, async (tx, emit) => {
        await bridge.insert(tx, undone)
        emit({ type: 'order.created', subject })
        throw mine
      })
      await expect(failing).rejects.toBe(mine)
      expect(await database.hasOrder(undone)).toBe(false)
      expect(await database.query(outbox, [subject])).toHaveLength(1)
    } finally {
      await bridge.end()
    }
  })
})
