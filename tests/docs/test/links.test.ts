import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMarkdownRenderer, type SiteConfig } from 'vitepress'
import { expect, test } from 'vitest'
import { linksOfFiles } from '../../../docs/.vitepress/links.ts'
import {
  withLinksOfSite,
  withoutComments,
  writePlainPages,
} from '../../../docs/.vitepress/plain-pages.ts'
import { workspace } from '../src/site.ts'

const root = workspace.replace(/\/$/, '')

async function rendered(page: string, text: string): Promise<string> {
  const md = await createMarkdownRenderer(root, {
    config: (md) => linksOfFiles(md, root),
  })
  return md.render(text, { path: `${root}/${page}` })
}

// Such links were plain text: "testing is a complete program", and nobody could tell where.
test('a link to a file that is no page shows where it is in the repository', async () => {
  const page = 'docs/testing.md'
  for (const [text, html, plain] of [
    [
      'see [a program](../examples/testing).',
      'see a program (<code>examples/testing</code>).',
      'see a program (`examples/testing`).',
    ],
    [
      'see [examples/testing](../examples/testing).',
      'see <code>examples/testing</code>.',
      'see examples/testing.',
    ],
    [
      'see [`examples/testing`](../examples/testing).',
      'see <code>examples/testing</code>.',
      'see `examples/testing`.',
    ],
  ] as const) {
    expect((await rendered(page, text)).replaceAll(/ v-pre="?"?/g, '')).toContain(html)
    expect(withLinksOfSite(page, text)).toBe(plain)
  }
})

test('a link to a page leads to it', async () => {
  const text = 'see [errors](errors.md#key-reused) and [Express](../packages/express/README.md).'
  const html = await rendered('docs/http.md', text)
  expect(html).toContain('href="/errors/#key-reused"')
  expect(html).toContain('href="/packages/express')
})

test('the first page of the site has the program of the front page', () => {
  const front = readFileSync(`${root}/README.md`, 'utf8')
  const program = /```ts\n.*?```/s.exec(front)?.[0] as string
  expect(program).toContain('app.listen')
  expect(readFileSync(`${root}/docs/index.md`, 'utf8')).toContain(program)
})

test('the Markdown of a page is without the comments that are for tests', () => {
  const text = '# A day\n\n<!-- here: the mail server is back -->\n\n`dead preview` counts.\n'
  expect(withoutComments(text)).toBe('# A day\n\n`dead preview` counts.\n')
})

// They pointed to a folder `pictures` that the site did not have.
test('the Markdown of a page finds its pictures', () => {
  const outDir = mkdtempSync(join(tmpdir(), 'oncekey-plain-'))
  const site = { title: 'Oncekey', description: 'Docs', base: '/' }
  const pages = ['docs/dashboard.md', 'docs/operators-day.md']
  try {
    writePlainPages({ srcDir: root, outDir, pages, site } as unknown as SiteConfig)
    for (const page of ['dashboard.md', 'operators-day.md']) {
      const text = readFileSync(join(outDir, page), 'utf8')
      const pictures = [...text.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)].map(([, href = '']) => href)
      expect(pictures.length).toBeGreaterThan(5)
      expect(pictures.filter((href) => !existsSync(join(outDir, href)))).toEqual([])
      expect(pictures.every((href) => href.startsWith('/pictures/'))).toBe(true)
    }
  } finally {
    rmSync(outDir, { recursive: true })
  }
})
