import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { eventually } from '@rockpool/testkit';
import { Installation } from '../installation.js';
import { findChromium, launchChromium } from './chromium.js';

const executable = findChromium();
if (executable === undefined) {
  process.stderr.write(
    'SKIPPED: the browser tests of the web chat. There is no Chromium: apt-get install chromium, or set CHROMIUM_PATH to one.\n',
  );
}

const answerText = `**Low tide** is at 9:42.\n\n\`\`\`js\nconst when = '9:42';\n\`\`\`\n\n${'Mind the weever fish. '.repeat(30)}`;

(executable === undefined ? describe.skip : describe)('the web chat in a browser', () => {
  let rockpool: Installation;
  let browser: Browser;
  const contexts: { close(): Promise<void> }[] = [];
  /** What the browser's console complained about: scripts that failed, policies that were broken, requests that were refused. */
  let complaints: string[] = [];

  beforeAll(async () => {
    [rockpool, browser] = await Promise.all([Installation.open(), launchChromium(executable!)]);
    rockpool.model.when('tide').reply({ text: answerText, betweenTokensMs: 15 });
  });
  afterAll(async () => {
    await browser?.close();
    await rockpool?.close();
  });
  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
    complaints = [];
  });

  async function visit(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1024, height: 768 }, ...options });
    contexts.push(context);
    return openChat(await context.newPage());
  }

  async function openChat(page: Page): Promise<Page> {
    page.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())));
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(`${rockpool.url}/chat/alice`);
    await page.locator('#status[data-state=online]').waitFor();
    return page;
  }

  async function say(page: Page, text: string): Promise<void> {
    await page.getByLabel('Message to Alice Smith').fill(text);
    await page.keyboard.press('Enter');
  }

  const mine = (page: Page) => page.locator('.mine .body').allInnerTexts();
  const answers = (page: Page) => page.locator('.theirs[aria-busy=false] .body').allInnerTexts();
  const answered = (page: Page, text: string) => page.locator('.theirs[aria-busy=false]', { hasText: text }).waitFor();

  it('greets with the name of the tenant, and has something to begin with', async () => {
    const page = await visit();
    expect(await page.title()).toBe('Alice Smith');
    expect(await page.getByRole('heading', { name: 'Chat with Alice Smith' }).isVisible()).toBe(true);
    expect(await page.evaluate('document.activeElement.id')).toBe('text');
    await page.getByRole('button', { name: 'Show the commands' }).click();
    await answered(page, '/stop');
    expect(complaints).toEqual([]);
  });

  it('shows an answer as it grows, rendered, and all of it again after a reload', async () => {
    const page = await visit();
    await say(page, 'When is low tide?');
    await page.locator('.streaming').waitFor();
    const early = await page.locator('.streaming .body').innerText();
    await answered(page, 'Mind the weever fish.');
    const whole = await page.locator('.theirs .body').innerText();
    expect(whole.length).toBeGreaterThan(early.length);
    expect(await page.locator('.theirs strong').innerText()).toBe('Low tide');
    expect(await page.locator('.theirs pre').innerText()).toContain("const when = '9:42';");
    expect(await mine(page)).toEqual(['When is low tide?']);

    await page.reload();
    await answered(page, 'Mind the weever fish.');
    expect(await page.locator('.theirs .body').innerText()).toBe(whole);
    expect(await mine(page)).toEqual(['When is low tide?']);
    expect(complaints).toEqual([]);
  });

  it('sends with Enter and begins a new line with Shift+Enter', async () => {
    const page = await visit();
    await page.keyboard.type('one');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('two');
    expect(await mine(page)).toEqual([]);
    await page.keyboard.press('Enter');
    await answered(page, 'two');
    expect(await mine(page)).toEqual(['one\ntwo']);
    expect(await page.getByLabel('Message to Alice Smith').inputValue()).toBe('');
  });

  it('shows what was said in another window of the same visitor', async () => {
    const page = await visit();
    const other = await openChat(await page.context().newPage());
    await say(page, 'said in the first window');
    await answered(other, 'said in the first window');
    expect(await mine(other)).toEqual(['said in the first window']);
  });

  it('is nobody else’s: another visitor sees nothing of it', async () => {
    const page = await visit();
    await say(page, 'between us');
    await answered(page, 'between us');
    const stranger = await visit();
    expect(await stranger.getByRole('heading', { name: 'Chat with Alice Smith' }).isVisible()).toBe(true);
    expect(await mine(stranger)).toEqual([]);
  });

  it('keeps what is written offline and sends it once, when it is online again', async () => {
    const page = await visit();
    await page.context().setOffline(true);
    await page.getByText('You are offline').waitFor();
    await say(page, 'from a tunnel');
    await page.getByText('Will be sent when you are back online.').waitFor();
    await page.context().setOffline(false);
    await answered(page, 'from a tunnel');
    expect(await mine(page)).toEqual(['from a tunnel']);
    expect(await answers(page)).toHaveLength(1);
    expect(await page.locator('.note').count()).toBe(0);
  });

  it('survives kill -9 of the server: it comes back by itself, and what was written meanwhile is answered once', async () => {
    const page = await visit();
    await say(page, 'before the crash');
    await answered(page, 'before the crash');
    await rockpool.product.kill('SIGKILL');
    await page.getByText('Connecting…').waitFor();
    await say(page, 'during the crash');
    await page.getByText('Not sent yet, trying again.').waitFor();
    await rockpool.product.start();
    await answered(page, 'during the crash');
    expect(await mine(page)).toEqual(['before the crash', 'during the crash']);
    expect(await answers(page)).toHaveLength(2);
  });

  it('fits a phone, in the dark, and is sent by a tap', async () => {
    const page = await visit({ viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true, colorScheme: 'dark' });
    await page.getByLabel('Message to Alice Smith').fill('When is low tide?');
    await page.getByRole('button', { name: 'Send' }).tap();
    await answered(page, 'Mind the weever fish.');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    const composer = await page.locator('#composer').boundingBox();
    expect(composer!.y + composer!.height).toBeLessThanOrEqual(640);
    // The end of the answer is in sight, above the composer.
    const end = await page.locator('.theirs .body > :last-child').boundingBox();
    expect(end!.y + end!.height).toBeLessThanOrEqual(composer!.y);
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(14, 19, 21)');
    expect(complaints).toEqual([]);
  });

  it('leaves a reader where he is while an answer grows below, and leads back to it', async () => {
    const page = await visit({ viewport: { width: 500, height: 420 } });
    await say(page, 'When is low tide?');
    await answered(page, 'Mind the weever fish.');
    await say(page, 'And the tide tomorrow?');
    await page.locator('.streaming').waitFor();
    await page.locator('#feed').hover();
    const jump = page.getByRole('button', { name: /Latest|New answer/ });
    // A small turn of the wheel is enough, though the answer grows with every frame.
    await page.mouse.wheel(0, -30);
    await jump.waitFor();
    await page.mouse.wheel(0, -5_000);
    // The wheel is turned at once, the page follows in its own time.
    const scrollTop = () => page.locator('#feed').evaluate((feed) => feed.scrollTop);
    await eventually('the beginning is shown', async () => (await scrollTop()) === 0);
    await page.getByRole('button', { name: 'New answer' }).waitFor();
    expect(await scrollTop()).toBe(0);
    await jump.click();
    await jump.waitFor({ state: 'hidden' });
  });

  it('says so when there is no chat, and when it needs a link', async () => {
    const page = await browser.newPage();
    contexts.push(page);
    const response = await page.goto(`${rockpool.url}/chat/nobody`);
    expect(response?.status()).toBe(404);
    expect(await page.getByRole('heading', { name: 'There is no chat here' }).isVisible()).toBe(true);
  });
});
