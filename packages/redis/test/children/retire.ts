// Retires the consumer 'email', and exits when it sends the script with the given number.
import { redisLog } from '@oncekey/redis'
import { Redis } from 'ioredis'

const client = new Redis(process.env.REDIS_URL ?? '')
let left = Number(process.env.DIE_AT)
const dying = new Proxy(client, {
  get(target, name) {
    const value = Reflect.get(target, name, target)
    if (typeof value !== 'function') return value
    return (...args: unknown[]) => {
      if (name === 'evalshaBuffer' || name === 'evalBuffer') {
        left -= 1
        if (left === 0) process.kill(process.pid, 'SIGKILL')
      }
      return Reflect.apply(value, target, args)
    }
  },
})
console.log(JSON.stringify({ ready: true }))
await redisLog({ client: dying }).retire('email', { remaining: 'discard', note: 'replaced' })
console.log('retired')
client.disconnect()
