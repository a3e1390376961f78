import { once } from '@oncekey/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { forHttpApi, forRestApi } from './api-gateway.ts'
import { store } from './database.ts'
import { placeOrder } from './orders.ts'

export const httpApi = forHttpApi(placeOrder)
export const restApi = forRestApi(placeOrder)

const orderOnce = once({ store, namespace: 'orders-queue' })

/**
 * SQS delivers a message again when a function was too slow, or died after its work. The key comes
 * from whoever sent the message: a second send has another `messageId`. A message that failed is
 * named, and only that one comes again (`ReportBatchItemFailures`).
 */
export async function queue({ Records }: SQSEvent): Promise<SQSBatchResponse> {
  const batchItemFailures: { itemIdentifier: string }[] = []
  for (const { messageId, messageAttributes, body } of Records) {
    const key = messageAttributes.key?.stringValue ?? messageId
    const { item } = JSON.parse(body) as { item: string }
    try {
      await orderOnce.run({ scope: 'queue', key, input: { item } }, async ({ transaction }) => {
        const tx = await transaction()
        await tx.query('insert into orders (item) values ($1)', [item])
        if (item === 'kazoo') throw new Error('we have standards') // undone, and tried again
      })
    } catch (error) {
      console.error(`${messageId}: ${error}`)
      batchItemFailures.push({ itemIdentifier: messageId })
    }
  }
  return { batchItemFailures }
}
