import 'reflect-metadata'
import type { INestApplication, ModuleMetadata } from '@nestjs/common'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import { memoryStore } from '@oncekey/core'
import { IdempotencyModule } from '@oncekey/nestjs'
import { onTestFinished } from 'vitest'
import type { Platform } from './serve-with-nest.ts'

export const platforms: readonly Platform[] = ['express', 'fastify']

/** The module's options in most tests: a key belongs to the account that a header names. */
export const options = (store = memoryStore()) => ({
  store,
  scope: (request: { headers: Record<string, string | undefined> }) =>
    request.headers['x-account'] ?? 'ana',
})

/** A testing module that is up until the test is over, and a client for it. */
export async function upOn(
  platform: Platform,
  metadata: ModuleMetadata,
  configure: (app: INestApplication) => void = () => {},
) {
  const { imports = [IdempotencyModule.forRoot(options())], ...rest } = metadata
  const module = await Test.createTestingModule({ imports, ...rest }).compile()
  const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter()
  const app = module.createNestApplication(adapter as ExpressAdapter, { logger: false })
  configure(app)
  await app.listen(0, '127.0.0.1')
  let isOpen = true
  const close = async () => {
    if (isOpen) await app.close()
    isOpen = false
  }
  onTestFinished(close)
  const url = await app.getUrl()

  async function post(path: string, asked: Asked = {}) {
    const { key = 'k', body = { item: 'violin' }, headers = {}, method = 'POST' } = asked
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(method !== 'GET' && { 'content-type': 'application/json' }),
        ...(key !== '' && { 'idempotency-key': key }),
        ...headers,
      },
      ...(method !== 'GET' && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return {
      status: response.status,
      replayed: response.headers.get('x-idempotency-replayed') === 'true',
      headers: response.headers,
      text,
      code: text.startsWith('{') ? JSON.parse(text).code : undefined,
    }
  }
  return { app, url, post, close }
}

interface Asked {
  readonly key?: string
  readonly body?: unknown
  readonly headers?: Record<string, string>
  readonly method?: string
}
