import { expect, test } from 'vitest'
import { db } from '../src/database.ts'
import { httpApiEvent, queueEvent, restApiEvent } from '../src/events.ts'
import { httpApi, queue, restApi } from '../src/functions.ts'

const orders = async (item: string) =>
  (await db.query('select from orders where item = $1', [item])).rows.length

test('an HTTP API: an order is placed once, and its retry gets the same bytes', async () => {
  const first = await httpApi(httpApiEvent('v2', { item: 'violin' }))
  const again = await httpApi(httpApiEvent('v2', { item: 'violin' }))
  expect(first).toMatchObject({ statusCode: 201 })
  expect(again).toMatchObject({ statusCode: 201, body: first.body })
  expect(again.headers?.['x-idempotency-replayed']).toBe('true')
  expect((await httpApi(httpApiEvent('v2', { item: 'cello' }))).statusCode).toBe(422)
  expect(await orders('violin')).toBe(1)
})

test('a REST API: an order is placed once, however many at once', async () => {
  const sent = Array.from({ length: 10 }, () => restApi(restApiEvent('v1', { item: 'viola' })))
  const answers = await Promise.all(sent)
  expect(new Set(answers.map(({ statusCode }) => statusCode))).toContain(201)
  const again = await restApi(restApiEvent('v1', { item: 'viola' }))
  expect(again.multiValueHeaders?.['x-idempotency-replayed']).toEqual(['true'])
  expect(await orders('viola')).toBe(1)
})

test('SQS: a message that comes again does nothing, one that failed runs again', async () => {
  const cello = { key: 'q1', item: 'cello' }
  const kazoo = { key: 'q2', item: 'kazoo' }
  const batch = queueEvent({ messageId: '1', ...cello }, { messageId: '2', ...kazoo })
  expect(await queue(batch)).toEqual({ batchItemFailures: [{ itemIdentifier: '2' }] })
  expect(await queue(batch)).toEqual({ batchItemFailures: [{ itemIdentifier: '2' }] })
  // A second send of the same order, under another id of the queue.
  expect(await queue(queueEvent({ messageId: '3', ...cello }))).toEqual({ batchItemFailures: [] })
  expect(await orders('cello')).toBe(1)
  expect(await orders('kazoo')).toBe(0)
})
