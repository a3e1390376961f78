import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Pool } from 'pg'

class OrderRejected extends Error {}

const order = ['program']
const later = await import('./imported-later.ts')
order.push(...later.order)
const ready = {
  ready: true,
  url: import.meta.url,
  beside: readFileSync(new URL('./ends-early.ts', import.meta.url), 'utf8'),
  isOnePool: createRequire(import.meta.url)('pg').Pool === Pool,
  errors: [OrderRejected.name, later.OrderRejected.name],
  order,
}
console.log(JSON.stringify(ready))
if (process.argv[2] === 'fail') later.rejected()
setInterval(() => {}, 1_000)
