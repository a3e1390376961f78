import { fileURLToPath } from 'node:url'
import { type DefaultTheme, defineConfig } from 'vitepress'
import { emptyHeadersAreCells } from './empty-headers.ts'
import { linksOfFiles } from './links.ts'
import { notPages, placeOf } from './places.ts'
import { writePlainPages } from './plain-pages.ts'
import { drawSequence } from './sequence.ts'
import { nav, sidebar } from './sidebar.ts'
import { installsAreUnpublished } from './unpublished.ts'

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="11" cy="16" r="7" ' +
  'fill="none" stroke="#0f6b4f" stroke-width="5"/><path d="M18 16h12v6" fill="none" ' +
  'stroke="#0f6b4f" stroke-width="5"/></svg>'

/** The index needs the words of a page. Colouring its code twice is a fifth of the build's time. */
const renderForSearch: DefaultTheme.LocalSearchOptions['_render'] = (source, env, md) => {
  const { highlight } = md.options
  md.options.highlight = null
  try {
    return md.render(source, env)
  } finally {
    md.options.highlight = highlight
  }
}

/**
 * What one does comes before why it is so, and before how the code does it: decisions and the pages
 * for contributors have most words of a question, and no answer for a user. The generated tables
 * repeat these words too, beside a name that a user has to know already. Sent to the browser as
 * text, so it uses nothing from outside of itself.
 */
const weightOf = (address: string): number => {
  if (/\/decisions\/|\/architecture|\/contributing/.test(address)) return 0.2
  return address.includes('/reference/') ? 0.5 : 1
}

// Pages stay where the repository has them; `places.ts` says where each is on the site.
export default defineConfig({
  title: 'Oncekey',
  description:
    'An idempotency toolkit for Node: an HTTP write runs once per Idempotency-Key, and its response, ' +
    'its writes and its events are one commit.',
  lang: 'en',
  // A site that is not at the root of its host is built with SITE_BASE=/its/path/.
  base: process.env.SITE_BASE ?? '/',
  srcDir: root,
  srcExclude: notPages,
  rewrites: placeOf,
  cleanUrls: true,
  head: [['link', { rel: 'icon', href: `data:image/svg+xml,${encodeURIComponent(icon)}` }]],
  lastUpdated: false,
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config(md) {
      linksOfFiles(md, root)
      emptyHeadersAreCells(md)
      installsAreUnpublished(md, root)
      const fence = md.renderer.rules.fence
      md.renderer.rules.fence = (tokens, at, options, env, self) => {
        const token = tokens[at]
        if (token?.info.trim() === 'mermaid') return drawSequence(token.content)
        return fence?.(tokens, at, options, env, self) ?? ''
      }
    },
  },
  themeConfig: {
    nav,
    sidebar,
    outline: [2, 3],
    search: {
      provider: 'local',
      options: {
        _render: renderForSearch,
        miniSearch: { searchOptions: { boostDocument: weightOf } },
      },
    },
    externalLinkIcon: false,
  },
  buildEnd: writePlainPages,
  // The search's index is one chunk, which is loaded when somebody searches.
  vite: { build: { chunkSizeWarningLimit: 4000 } },
})
