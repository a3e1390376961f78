// Looks for redis-server, and reports the result.
import { startRedis } from '../src/redis.ts'

const message = await startRedis().then(
  () => 'found',
  (error: Error) => error.message,
)
console.log(JSON.stringify({ ready: true, message }))
