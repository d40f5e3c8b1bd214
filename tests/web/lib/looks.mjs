// How a page looks, in numbers: whether it fits, can be read, and tells a screen reader what things are.

import assert from "node:assert/strict";

export const fitsWidth = async ({ page }) => {
    const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(widths[0] <= widths[1], `as wide as the window: ${widths}`);
};

// What a screen reader would have to call "button" or "edit" and no more.
export const nameless = ({ page }) =>
    page.evaluate(() =>
        [...document.querySelectorAll("button, a[href], input, textarea, dialog, [role=menu], [role=log], nav, img")]
            .filter((node) => node.checkVisibility() && node.getAttribute("role") !== "menu")
            .filter((node) => {
                const labels = [...(node.labels ?? [])].map((label) => label.textContent).join("");
                const by = node.getAttribute("aria-labelledby");
                const named = node.getAttribute("aria-label") || labels || (by && document.getElementById(by)?.textContent) || node.getAttribute("alt");
                return !named && !node.hasAttribute("alt") && !node.textContent.trim();
            })
            .map((node) => node.outerHTML.slice(0, 120)),
    );

// The contrast of every text with what lies under it (WCAG 2, 1.4.3).
export const faint = ({ page }) =>
    page.evaluate(() => {
        const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
        const parse = (color) => {
            canvas.clearRect(0, 0, 1, 1);
            canvas.fillStyle = color;
            canvas.fillRect(0, 0, 1, 1);
            const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
            return { r, g, b, a: a / 255 };
        };
        const under = (node) => {
            for (let at = node; at; at = at.parentElement) {
                const color = parse(getComputedStyle(at).backgroundColor);
                if (color.a > 0.99) return color;
            }
            return parse("canvas");
        };
        const light = ({ r, g, b }) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
        const texts = [...document.querySelectorAll("#root *")].filter((node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
        return texts
            .filter((node) => node.checkVisibility() && !node.closest(":disabled, .unseen, [aria-hidden=true]"))
            .map((node) => {
                const [a, b] = [light(parse(getComputedStyle(node).color)), light(under(node))].sort((x, y) => y - x);
                return { ratio: (a + 0.05) / (b + 0.05), node: `${node.className}: ${node.textContent.slice(0, 30)}` };
            })
            .filter(({ ratio }) => ratio < 4.5)
            .map(({ ratio, node }) => `${ratio.toFixed(2)} ${node}`);
    });
