import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitFor } from '@oncekey/test-servers'
import { expect, test, vi } from 'vitest'
import { connected, database, nextNumber, pool, rabbit, removals } from './rabbit-exchanges.ts'

// The program of docs/publishers.md that takes messages of RabbitMQ with `inbox`.

test('the program takes each message once, and gives up one that always fails', async () => {
  const name = `oncekey-${process.pid}-${nextNumber()}`
  const connection = connected()
  await pool.query('create table charges (order_id text)')
  await connection.exchangeDeclare({ exchange: name, type: 'topic', durable: true })
  removals.push(async () => {
    await connection.queueDelete(name)
    await connection.queueDelete(`${name}-dead`)
    await connection.exchangeDelete({ exchange: name })
  })
  const errors = vi.spyOn(console, 'error').mockImplementation(() => {})
  const stop = await started(name)
  try {
    // A passive declaration fails until the queue is there.
    await waitFor(() => connection.queueDeclare({ queue: name, passive: true }), {
      what: 'the queue',
    })
    await connection.queueBind({ exchange: name, queue: name, routingKey: 'order.*' })
    const publisher = connection.createPublisher({ confirm: true })
    const headers = { 'cloudEvents:subject': 'order-1' }
    const to = { exchange: name, routingKey: 'order.created', durable: true, headers }
    for (let copy = 0; copy < 2; copy += 1) await publisher.send({ ...to, messageId: 'm-1' }, {})
    await publisher.send(to, { without: 'an id' })
    const dead = await waitFor(() => connection.basicGet({ queue: `${name}-dead`, noAck: true }), {
      what: 'the dead letter',
    })
    expect(dead).toMatchObject({ body: { without: 'an id' } })
    await publisher.close()
  } finally {
    await stop()
  }
  expect(errors).toHaveBeenCalledTimes(10)
  errors.mockRestore()
  expect(await database.query('select order_id from charges')).toEqual([{ order_id: 'order-1' }])
  expect(await connection.basicGet({ queue: name, noAck: true })).toBeUndefined()
})

/** Starts the program with names and addresses of ours, and without its pauses. */
async function started(name: string): Promise<() => unknown> {
  const program = new URL('./publisher-snippets/rabbitmq-consumer.ts', import.meta.url)
  const text = readFileSync(program, 'utf8')
    .replace('amqp://guest:guest@127.0.0.1', rabbit.url())
    .replace('new Pool()', `new Pool({ connectionString: '${database.url()}' })`)
    .replace('1_000 * 2 ** before', '1')
    .replace("exchange: 'shop'", `exchange: '${name}'`)
    .replaceAll("'billing", `'${name}`)
  const folder = mkdtempSync(join(import.meta.dirname, '.program-'))
  const before = new Set(process.listeners('SIGTERM'))
  try {
    writeFileSync(join(folder, 'program.ts'), text)
    await import(join(folder, 'program.ts'))
  } finally {
    rmSync(folder, { recursive: true })
  }
  const [stop] = process.listeners('SIGTERM').filter((listener) => !before.has(listener))
  if (stop === undefined) throw new Error('The program does not stop at SIGTERM.')
  process.off('SIGTERM', stop)
  return stop as () => unknown
}
