import { startRedis } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { recordKeys } from '../../../../packages/redis/src/store/record/record-keys.ts'
import { responseIn } from '../../../../packages/redis/src/store/record/result-bytes.ts'
import { all, type Database } from './database.ts'

export async function redisDatabase(): Promise<Database> {
  const server = await startRedis()
  const client = new Redis(server.url)
  client.on('error', () => {})
  const keysOf = (key: string) => recordKeys({ namespace: 'http', scope: '', key })

  return {
    url: server.url,
    port: server.port,
    claim: (key) => all(key, 'retake'),
    completion: (key) => all(key, '"receipt"'),
    effects: (order) => client.lrange(`effects:${order}`, 0, -1),
    async events(order) {
      const receipts: string[] = []
      for (const outbox of await client.keys('oncekey:*:outbox')) {
        for (const [, fields] of await client.xrange(outbox, '-', '+')) {
          const value = (name: string): string => fields[fields.indexOf(name) + 1] ?? ''
          if (value('subject') === order) receipts.push(JSON.parse(value('data')).receipt)
        }
      }
      return receipts
    },
    async stored(key) {
      const result = await client.getBuffer(keysOf(key).result)
      return result === null ? undefined : Buffer.from(responseIn(result).body ?? '')
    },
    async leaseLeftMs(key) {
      const [state, until] = await client.hmget(keysOf(key).record, 'state', 'lease_until')
      if (state !== 'running') return undefined
      const [seconds, microseconds] = await client.time()
      return Number(until) - (Number(seconds) * 1_000 + Number(microseconds) / 1_000)
    },
    async leftOver(key) {
      const [state, number] = await client.hmget(keysOf(key).record, 'state', 'number')
      return state === 'running' ? [`attempt ${number}`] : []
    },
    async stop() {
      client.disconnect()
      await server.stop()
    },
  }
}
