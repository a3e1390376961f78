import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type { RequestHandler } from 'express'
import session from 'express-session'
import { expect, test } from 'vitest'
import { header, post } from '../support/connection.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

type Session = session.Session & { visited?: boolean; user?: string }

/** Middleware mounted outside that starts a session on every request. */
const visited: RequestHandler = (req, _, next) => {
  ;(req.session as Session).visited = true
  next()
}

function door() {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

for (const [version, express] of expressVersions) {
  async function site(inside: RequestHandler, ...outside: RequestHandler[]) {
    const app = quietApp(express)
    app.use(express.json(), session({ secret: 's', resave: false, saveUninitialized: false }))
    const once = idempotency({
      store: memoryStore(),
      scope: 'dangerously-shared',
      handlerTimeoutMs: 200,
    })
    app.post('/', ...outside, once, inside)
    const port = await served(app)
    const ask = async () => {
      const answer = await post(port, '/', { 'Idempotency-Key': 'k' })
      return [answer.status, /^connect\.sid=/.test(header(answer, 'set-cookie') ?? '')]
    }
    return ask
  }

  test(`${version}: a session started outside sets its cookie on every response, including problems`, async () => {
    const [started, finish] = [door(), door()]
    const ask = await site(async (_, res) => {
      started.open()
      await finish.opened
      res.status(201).json({})
    }, visited)
    const first = ask()
    await started.opened
    expect(await ask()).toEqual([409, true])
    finish.open()
    expect(await first).toEqual([201, true])
    expect(await ask()).toEqual([201, true])
  })

  test(`${version}: a session started by the handler sets its cookie on the first response only`, async () => {
    const ask = await site((req, res) => {
      ;(req.session as Session).user = 'a'
      res.status(201).json({})
    })
    expect(await ask()).toEqual([201, true])
    expect(await ask()).toEqual([201, false])
  })

  test(`${version}: a session started by the handler after its timeout sets no cookie`, async () => {
    const [late, ended] = [door(), door()]
    const ask = await site(async (req, res) => {
      await late.opened
      ;(req.session as Session).user = 'a'
      res.status(201).json({})
      ended.open()
    })
    expect(await ask()).toEqual([503, false])
    late.open()
    await ended.opened
  })
}
