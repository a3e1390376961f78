import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Controller, type NestInterceptor, Post, type Type, UseInterceptors } from '@nestjs/common'
import { memoryStore } from '@oncekey/core'
import { IdempotencyModule, Idempotent } from '@oncekey/nestjs'
import { afterAll, describe, expect, test } from 'vitest'
import { platforms, upOn } from '../../../packages/nestjs/test/support/nest-app.ts'
import { workspace } from '../src/site.ts'
import { snippetsOf } from '../src/snippets.ts'

// The interceptor of docs/migrating.md, which answers the keys of the library before on NestJS.

const folder = mkdtempSync(join(workspace, 'packages', 'nestjs', '.old-keys-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const OLD: Readonly<Record<string, unknown>> = {
  made: { status: 202, body: { id: 1 } },
  refused: { status: 402, body: { error: 'declined' } },
  running: 'running',
}

let asked: string[] = []

async function find(request: { headers: Record<string, string> }): Promise<unknown> {
  const key = request.headers['idempotency-key'] as string
  asked.push(key)
  if (key === 'away') throw new Error('the old store is away')
  return OLD[key]
}

async function oldKeys(): Promise<Type<NestInterceptor>> {
  const snippet = snippetsOf('docs/migrating.md').find(({ text }) => text.includes('class OldKeys'))
  const compilerOptions = { experimentalDecorators: true, emitDecoratorMetadata: true }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  const file = join(folder, 'old-keys.ts')
  writeFileSync(file, `const { find } = (globalThis as any).given\n${snippet?.text}`)
  Object.assign(globalThis, { given: { find } })
  return (await import(file)).OldKeys
}

describe.each(platforms)('an interceptor that asks the old records, in Nest on %s', (platform) => {
  async function up() {
    asked = []
    let runs = 0
    class Orders {
      create() {
        runs += 1
        return { id: 2, runs }
      }
    }
    const create = Object.getOwnPropertyDescriptor(Orders.prototype, 'create') as PropertyDescriptor
    // Decorators applied as functions: nothing compiles their syntax here.
    Post('orders')(Orders.prototype, 'create', create)
    Idempotent({ whenUnknown: 'hold' })(Orders.prototype, 'create', create)
    UseInterceptors(await oldKeys())(Orders)
    Controller()(Orders)
    const module = IdempotencyModule.forRoot({ store: memoryStore(), scope: () => 'ana' })
    const { post } = await upOn(platform, { imports: [module], controllers: [Orders] })
    return (key: string) => post('/orders', { key })
  }

  test.each([
    ['made', 202, '{"id":1}'],
    ['refused', 402, '{"error":"declined"}'],
    ['new', 201, '{"id":2,"runs":1}'],
  ])('answers "%s" once, and keeps the answer', async (key, status, text) => {
    const ask = await up()
    expect(await ask(key)).toMatchObject({ status, text, replayed: false })
    expect(await ask(key)).toMatchObject({ status, text, replayed: true })
    expect(asked).toEqual([key])
  })

  test.each([
    ['running', 409, '1'],
    ['away', 500, null],
  ])('keeps nothing of "%s", and asks again', async (key, status, retryAfter) => {
    const ask = await up()
    for (let time = 0; time < 2; time += 1) {
      const { headers, ...answer } = await ask(key)
      expect(answer).toMatchObject({ status, replayed: false })
      expect(headers.get('retry-after')).toBe(retryAfter)
    }
    expect(asked).toEqual([key, key])
  })
})
