import { db } from './database.ts'
import { httpApiEvent, queueEvent, restApiEvent } from './events.ts'
import { httpApi, queue, restApi } from './functions.ts'

// Calls the functions as Lambda does, each twice.
for (const event of [
  httpApiEvent('a', { item: 'violin' }),
  httpApiEvent('a', { item: 'violin' }),
]) {
  const { statusCode, headers } = await httpApi(event)
  console.log(
    `HTTP API: ${statusCode}, replayed: ${headers?.['x-idempotency-replayed'] ?? 'false'}`,
  )
}
for (const event of [restApiEvent('b', { item: 'viola' }), restApiEvent('b', { item: 'viola' })]) {
  const { statusCode, multiValueHeaders: headers } = await restApi(event)
  console.log(
    `REST API: ${statusCode}, replayed: ${headers?.['x-idempotency-replayed'] ?? 'false'}`,
  )
}
for (const messageId of ['first', 'again']) {
  const { batchItemFailures } = await queue(queueEvent({ messageId, key: 'c', item: 'cello' }))
  console.log(`SQS, ${messageId}: ${batchItemFailures.length} of 1 failed`)
}
const { rows } = await db.query('select item from orders order by id')
console.log('Orders:', rows)
await db.close()
