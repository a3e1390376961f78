import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type { RequestHandler } from 'express'
import { expect, test } from 'vitest'
import { post } from '../support/connection.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

const wrong: Record<string, RequestHandler> = {
  'writeHead(101)': (_, res) => void res.writeHead(101, { upgrade: 'x' }).end(),
  'writeHead(103)': (_, res) => void res.writeHead(103, { link: '</a.css>' }).end(),
  'status(103)': (_, res) => void res.status(103).end(),
}

for (const [version, express] of expressVersions) {
  test.each(Object.entries(wrong))(
    `${version}: %s as the response is an app error and stores nothing`,
    async (_, handler) => {
      let runs = 0
      const app = quietApp(express)
      app.use(express.json(), idempotency({ store: memoryStore(), scope: 'dangerously-shared' }))
      app.post('/', (req, res, next) => {
        runs += 1
        if (runs === 1) handler(req, res, next)
        else res.status(201).end('whole')
      })
      const port = await served(app)
      const key = { 'Idempotency-Key': 'k' }
      const answers = [await post(port, '/', key), await post(port, '/', key)]
      expect(answers.map(({ status }) => status)).toEqual([500, 201])
    },
  )
}
