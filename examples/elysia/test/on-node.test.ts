import { test } from 'vitest'
import { fetchApp } from '../src/app.ts'
import { placesOrdersOnce } from './places-orders.ts'

test('an order is placed once, with its event, however often and however many at once', async () => {
  await placesOrdersOnce(fetchApp)
})
