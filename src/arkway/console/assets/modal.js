// A dialog of the browser's own: it keeps the focus inside, and Esc closes it.
export default {
  props: { title: String, lead: String, isSmall: Boolean, mayClose: { type: Boolean, default: true } },
  emits: ["closed"],
  mounted() {
    this.before = document.activeElement;
    this.$refs.dialog.showModal();
  },
  beforeUnmount() {
    this.before?.focus?.();
  },
  methods: {
    onCancel(event) {
      if (!this.mayClose) event.preventDefault();
    },
  },
  template: `
    <dialog ref="dialog" class="modal" :class="{ small: isSmall }" :aria-label="title" @close="$emit('closed')" @cancel="onCancel">
      <h2>{{ title }}</h2>
      <p class="lead">{{ lead }}</p>
      <slot></slot>
    </dialog>`,
};
