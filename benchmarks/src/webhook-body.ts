/** The body of every webhook of the benches: some 360 bytes. */
export const WEBHOOK_BODY = JSON.stringify({
  type: 'order.created',
  timestamp: '2026-01-01T00:00:00.000Z',
  data: { id: 'order-1', customer: 'customer-17', lines: Array(10).fill({ sku: 'a-1', count: 2 }) },
})
