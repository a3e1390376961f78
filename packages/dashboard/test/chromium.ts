import { mkdirSync } from 'node:fs'
import { findChromium } from '@oncekey/test-servers'
import axe from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'

export interface Watched {
  readonly page: Page
  /** Every address that the page has requested. */
  readonly seen: readonly string[]
  /** The errors that the browser has reported. */
  readonly complaints: string[]
  close(): Promise<void>
}

export async function openBrowser(args: readonly string[] = []): Promise<Watched> {
  const browser: Browser = await chromium.launch({
    executablePath: await findChromium(),
    args: [...HEADLESS, ...args],
  })
  const page = await (await browser.newContext()).newPage()
  const seen: string[] = []
  const complaints: string[] = []
  page.on('request', (request) => seen.push(request.url()))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  return { page, seen, complaints, close: () => browser.close() }
}

const HEADLESS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking']

/**
 * Checks that a page can be read in both themes, at the widths of a desktop and of a phone. If
 * DASHBOARD_PICTURES is set, saves screenshots in that folder.
 */
export async function expectReadable(page: Page, name: string, address: string): Promise<void> {
  const pictures = process.env.DASHBOARD_PICTURES
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [size, viewport] of [
      ['wide', { width: 1_280, height: 800 }],
      ['phone', { width: 390, height: 844 }],
    ] as const) {
      await page.setViewportSize(viewport)
      await page.emulateMedia({ colorScheme })
      expect((await page.goto(address))?.status()).toBe(200)
      expect(await page.evaluate(WIDER), `${size} scrolls sideways`).toBe(false)
      expect(await violationsOf(page), `${colorScheme}, ${size}`).toEqual([])
      if (pictures === undefined) continue
      mkdirSync(pictures, { recursive: true })
      await page.screenshot({
        path: `${pictures}/${name}-${size}-${colorScheme}.png`,
        fullPage: true,
      })
    }
  }
}

// A string, because the tests have no types of the browser.
const WIDER = 'document.documentElement.scrollWidth > document.documentElement.clientWidth'

/** Runs axe in the page, which the page's own policy would otherwise forbid. */
async function violationsOf(at: Page): Promise<string[]> {
  const session = await at.context().newCDPSession(at)
  await session.send('Runtime.evaluate', { expression: axe.source })
  const { result } = await session.send('Runtime.evaluate', {
    expression: `axe.run().then(({ violations }) => JSON.stringify(violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' '))))`,
    awaitPromise: true,
  })
  return JSON.parse(String(result.value))
}
