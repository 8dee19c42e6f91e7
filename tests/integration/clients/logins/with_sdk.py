"""The life of an image through openstacksdk, which finds its log-in in the environment; what is printed is compared."""

import sys

import openstack

connection = openstack.connect(cloud="envvars")
images = connection.image
formats = {"disk_format": "raw", "container_format": "bare"}
image = images.create_image("disk", filename=sys.argv[1], visibility="shared", **formats)
print("uploaded", images.get_image(image.id).status)
print("listed", *(each.name for each in images.images(owner=connection.current_project_id)))
print("shared", images.add_member(image, member_id=sys.argv[2]).status)
with open(sys.argv[1], "rb") as file:
    print("downloaded", images.download_image(image).content == file.read())
images.delete_image(image)
print("deleted", len(list(images.images())))
